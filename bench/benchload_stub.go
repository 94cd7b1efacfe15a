package main

import (
	"context"
	"errors"
	"io"
)

func benchLoad(ctx context.Context, w io.Writer, bin string) error { return errors.New("not yet") }
