package processor

import (
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// rawCodec passes bytes through. Decoding is left to the callbacks: for goka a value that does not decode
// is a reason to stop, for a callback it is a dead letter.
type rawCodec struct{}

// Encode implements goka.Codec.
func (rawCodec) Encode(value any) ([]byte, error) {
	b, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("want bytes, not %T", value)
	}
	return b, nil
}

// Decode implements goka.Codec.
func (rawCodec) Decode(data []byte) (any, error) { return data, nil }

// recordCodec writes records of the facts log.
type recordCodec struct{}

// Encode implements goka.Codec.
func (recordCodec) Encode(value any) ([]byte, error) {
	r, ok := value.(*clinical.Record)
	if !ok {
		return nil, fmt.Errorf("want *clinical.Record, not %T", value)
	}
	return r.Marshal(), nil
}

// Decode implements goka.Codec.
func (recordCodec) Decode(data []byte) (any, error) { return clinical.UnmarshalRecord(data) }
