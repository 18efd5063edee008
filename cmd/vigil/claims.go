package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/claim"
)

// openClaims opens the places that events may point to.
func openClaims(c config.Config) (*claim.Store, error) {
	s := &c.Claims.S3
	key := string(s.SecretKey)
	if s.SecretKeyFile != "" {
		text, err := os.ReadFile(s.SecretKeyFile)
		if err != nil {
			return nil, fmt.Errorf("claims.s3.secret_key_file: %w", err)
		}
		key = strings.TrimSpace(string(text))
	}
	store, err := claim.Open(claim.Options{Files: c.Claims.Files, MaxSize: int64(c.Limits.Body),
		S3: claim.S3{Endpoint: s.Endpoint, Region: s.Region, Buckets: s.Buckets, AccessKey: s.AccessKey, SecretKey: key}})
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return store, nil
}
