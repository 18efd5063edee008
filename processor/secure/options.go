package secure

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options lets a client of franz-go use the channel; Apply is for sarama's.
func (c *Channel) Options() []kgo.Opt {
	if c == nil {
		return nil
	}
	var options []kgo.Opt
	if c.tls != nil {
		options = append(options, kgo.DialTLSConfig(c.tls.Clone()))
	}
	if m := c.mechanism(); m != nil {
		options = append(options, kgo.SASL(m))
	}
	return options
}

func (c *Channel) mechanism() sasl.Mechanism {
	o := &c.options.SASL
	switch o.Mechanism {
	case Plain:
		return plain.Auth{User: o.User, Pass: c.password}.AsMechanism()
	case ScramSHA256:
		return scram.Auth{User: o.User, Pass: c.password}.AsSha256Mechanism()
	case ScramSHA512:
		return scram.Auth{User: o.User, Pass: c.password}.AsSha512Mechanism()
	case OAuthBearer:
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := c.tokens.Token()
			if err != nil {
				return oauth.Auth{}, err
			}
			return oauth.Auth{Token: token.Token, Extensions: token.Extensions}, nil
		})
	}
	return nil
}
