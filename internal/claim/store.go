package claim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vigil-cds/vigil/internal/fhir"
)

// Options says where claims may point. The zero value lets them point nowhere.
type Options struct {
	Files   []string // directories, and what is beneath them; no link leads out of one
	S3      S3
	MaxSize int64 // of a payload; larger ones are refused before they are fetched
}

// S3 is a store of objects. An empty Endpoint is none.
type S3 struct {
	Endpoint             string // https://s3.example.org
	Region               string
	Buckets              []string // that claims may point into
	AccessKey, SecretKey string
}

// Store fetches. Nil fetches nothing. It may be used from any number of goroutines.
type Store struct {
	options Options
	roots   []root
	s3      *minio.Client
}

type root struct {
	path string
	dir  *os.Root
}

// callTime bounds one attempt.
const callTime = 30 * time.Second

// Open looks at the directories, which must be there, and at no object.
func Open(o Options) (_ *Store, err error) {
	s := &Store{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, path := range o.Files {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		dir, err := os.OpenRoot(abs)
		if err != nil {
			return nil, fmt.Errorf("opening a directory that claims may point to: %w", err)
		}
		s.roots = append(s.roots, root{abs, dir})
	}
	if o.S3.Endpoint != "" {
		u, err := url.Parse(o.S3.Endpoint)
		if err != nil || u.Host == "" {
			return nil, errors.New("the endpoint of the store of objects is not a URL: write it as https://s3.example.org")
		}
		// One try each: who waits, and for how long, is decided above.
		s.s3, err = minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(o.S3.AccessKey, o.S3.SecretKey, ""),
			Secure: u.Scheme == "https", Region: o.S3.Region, BucketLookup: minio.BucketLookupPath, MaxRetries: 1})
		if err != nil {
			return nil, fmt.Errorf("configuring the client of the store of objects: %w", err)
		}
	}
	return s, nil
}

// Close gives the directories back.
func (s *Store) Close() error {
	var faults []error
	for _, r := range s.roots {
		faults = append(faults, r.dir.Close())
	}
	return errors.Join(faults...)
}

// Fetch gives the payload, of which size and hash are those of the claim. The error is a fhir.Fault, for good, or
// wraps ErrUnavailable; neither shows where the payload is.
func (s *Store) Fetch(ctx context.Context, c *Claim) ([]byte, error) {
	if s == nil {
		s = new(Store)
	}
	if len(s.roots) == 0 && s.s3 == nil {
		return nil, refuse(ReasonForbidden, "uri", "claims may point nowhere", "set claims.files or claims.s3")
	}
	if c.Size > s.options.MaxSize {
		return nil, refuse(fhir.TooLarge, "size", fmt.Sprintf("the payload has %d bytes, at most %d are taken", c.Size, s.options.MaxSize), "split it")
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var from io.ReadCloser
	var err error
	if c.scheme == "file" {
		from, err = s.file(c.place)
	} else {
		from, err = s.object(ctx, c.place)
	}
	if err != nil {
		return nil, err
	}
	defer from.Close()
	body := bytes.NewBuffer(make([]byte, 0, c.Size+bytes.MinRead))
	n, err := io.Copy(body, io.LimitReader(from, c.Size+1))
	if err != nil {
		return nil, failure(err)
	}
	if n != c.Size {
		return nil, refuse(ReasonDiffers, "size", "the payload has another size than the claim says", "write the claim when the payload is whole, and never write the payload again")
	}
	if hash := sha256.Sum256(body.Bytes()); !bytes.Equal(hash[:], c.hash) {
		return nil, refuse(ReasonDiffers, "sha256", "the payload has another hash than the claim says", "write the claim when the payload is whole, and never write the payload again")
	}
	return body.Bytes(), nil
}

func (s *Store) file(path string) (io.ReadCloser, error) {
	for _, r := range s.roots {
		name, err := filepath.Rel(r.path, path)
		if err != nil || !filepath.IsLocal(name) {
			continue
		}
		f, err := r.dir.Open(name) // follows no link that leads out
		if err != nil {
			return nil, failure(err)
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrInvalid
		}
		if err != nil {
			return nil, errors.Join(failure(err), f.Close())
		}
		return f, nil
	}
	return nil, refuse(ReasonForbidden, "uri", "the file is in no directory that claims may point to", "name its directory in claims.files, or put it into one of these")
}

func (s *Store) object(ctx context.Context, place string) (io.ReadCloser, error) {
	bucket, key, _ := strings.Cut(place, "/")
	if s.s3 == nil || !slices.Contains(s.options.S3.Buckets, bucket) {
		return nil, refuse(ReasonForbidden, "uri", "the object is in no bucket that claims may point to", "name the bucket in claims.s3.buckets")
	}
	o, err := s.s3.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err == nil {
		_, err = o.Stat() // which makes the request
	}
	if err != nil {
		return nil, failure(err)
	}
	return o, nil
}

// failure says whether a failed fetch may pass.
func failure(err error) error {
	var answered minio.ErrorResponse
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(ReasonMissing, "uri", "there is no such file", "write the payload before the claim, and keep it until the event was taken")
	case errors.Is(err, fs.ErrPermission):
		return refuse(ReasonForbidden, "uri", "the file may not be read", "let the user that Vigil runs as read it")
	case errors.Is(err, fs.ErrInvalid), strings.Contains(err.Error(), "path escapes"):
		return refuse(ReasonForbidden, "uri", "this is not a file beneath the directory", "point to the file itself")
	case errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound:
		return refuse(ReasonMissing, "uri", "there is no such object", "write the payload before the claim, and keep it until the event was taken")
	case errors.As(err, &answered) && answered.StatusCode == http.StatusForbidden:
		return refuse(ReasonForbidden, "uri", "the store of objects does not let Vigil read this", "give its access key the permission to get objects of the bucket")
	case errors.As(err, &answered) && answered.StatusCode != 0:
		return fmt.Errorf("%w: the store of objects answers %d", ErrUnavailable, answered.StatusCode)
	}
	return fmt.Errorf("%w: there is no whole answer", ErrUnavailable) // err can show what was asked for
}
