package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	readyWait  = 30 * time.Second // for a program to serve
	readyPoll  = 5 * time.Millisecond
	portTries  = 5
	clashWords = "address already in use"
)

// ready waits until a program that was just started serves. One that does not in
// time is stopped.
func ready(ctx context.Context, name string, u unit, ok func(context.Context) error) error {
	err := serving(ctx, name, u, ok)
	if err != nil && u.Died() == nil {
		u.Stop(context.WithoutCancel(ctx))
	}
	return err
}

// serving polls until ok returns nil. A program that ends meanwhile, or is not
// ready in time, is an error with its log's tail.
func serving(ctx context.Context, name string, u unit, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		if died := u.Died(); died != nil {
			return died
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w); end of its log:\n%s", name, context.Cause(ctx), err, u.Tail())
		case <-tick.C:
		}
	}
}

// choosing lets one start at a time choose its ports: until a program listens, its
// port is free for the next one too.
var choosing sync.Mutex

// onFreePort calls start with n free loopback addresses, again with others when
// somebody else took one in between.
func onFreePort[U any](n int, start func(addr []string) (U, error)) (u U, err error) {
	choosing.Lock()
	defer choosing.Unlock()
	for range portTries {
		var addr []string
		if addr, err = freePorts(n); err != nil {
			return u, err
		}
		if u, err = start(addr); err == nil || !portClash(err) {
			return u, err
		}
	}
	return u, fmt.Errorf("a port was taken by somebody else %d times in a row: %w", portTries, err)
}

// portClash says whether somebody else has the port; a Docker engine has words
// of its own for that.
func portClash(err error) bool {
	said := strings.ToLower(err.Error())
	return strings.Contains(said, clashWords) || strings.Contains(said, "port is already allocated")
}

// answers says whether a URL answers 200.
func answers(ctx context.Context, url string) error {
	_, err := get(ctx, url, nil)
	return err
}

// get fetches a URL; any status but 200 is an error.
func get(ctx context.Context, url string, edit func(*http.Request)) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // a replica that is told to end waits for connections that others keep
	if edit != nil {
		edit(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.StatusCode != http.StatusOK {
		return resp, &statusError{resp.StatusCode, fmt.Sprintf("%s: %s: %.200s", url, resp.Status, body)}
	}
	return resp, nil
}

// statusError is of an answer with another status than 200.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }
