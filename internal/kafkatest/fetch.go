//go:build kafka

package kafkatest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// CacheVariable names the folder that Kafka is fetched into, where the user's cache folder is not wanted.
const CacheVariable = "KAFKATEST_CACHE"

// ErrMissing is wrapped by the error of a machine that lacks Java or Maven.
var ErrMissing = errors.New("the tests with a real Kafka (build tag kafka) cannot run here")

// javaWanted is the oldest Java that Kafka's brokers run on.
const javaWanted = 17

//go:embed testdata/pom.xml
var pom []byte

//go:embed testdata/log4j2.properties
var logging []byte

// fetch returns the folder that has Kafka's jars under libs, and brings them the first time.
func fetch(ctx context.Context) (string, error) {
	root := os.Getenv(CacheVariable)
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a folder to keep Kafka in: %w: set %s to one", err, CacheVariable)
		}
		root = filepath.Join(user, "vigil-kafkatest")
	}
	sum := sha256.Sum256(append(bytes.Clone(pom), logging...))
	dir := filepath.Join(root, fmt.Sprintf("%x", sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder to keep Kafka in: %w: set %s to another", err, CacheVariable)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	libs := filepath.Join(dir, "libs")
	if _, err := os.Stat(libs); err == nil {
		return dir, nil
	}
	return dir, copyDependencies(ctx, dir, libs)
}

// copyDependencies lets Maven fill libs, which is there when all of it is.
func copyDependencies(ctx context.Context, dir, libs string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: there is no mvn on the PATH: install Apache Maven 3.6 or newer (the package maven), which fetches Kafka once into %s", ErrMissing, dir)
	}
	project := filepath.Join(dir, "pom.xml")
	err = errors.Join(os.WriteFile(project, pom, 0o644),
		os.WriteFile(filepath.Join(dir, "log4j2.properties"), logging, 0o644))
	if err != nil {
		return fmt.Errorf("keeping Kafka's pom: %w", err)
	}
	part := libs + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("clearing what an earlier fetch of Kafka left: %w", err)
	}
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", "--file", project, "dependency:copy-dependencies", "-DoutputDirectory="+part)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetching Kafka with mvn dependency:copy-dependencies: %w: Maven's repository has to be within reach the first time; it said:\n%s", err, out)
	}
	if err := os.Rename(part, libs); err != nil {
		return fmt.Errorf("keeping Kafka's jars: %w", err)
	}
	return nil
}

// lock waits until no other process holds the file.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the folder that keeps Kafka: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the folder that keeps Kafka: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns the java that runs brokers.
func findJava(ctx context.Context) (string, error) {
	install := fmt.Sprintf("install Java %d or newer (such as the package openjdk-%d-jre-headless)", javaWanted, javaWanted)
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: there is no java on the PATH: %s", ErrMissing, install)
	}
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s -version fails (%w: %s): %s", ErrMissing, java, err, out, install)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%w: %s -version says no version: %s: %s", ErrMissing, java, out, install)
	}
	if have, _ := strconv.Atoi(string(m[1])); have < javaWanted {
		return "", fmt.Errorf("%w: %s is Java %d: %s", ErrMissing, java, have, install)
	}
	return java, nil
}
