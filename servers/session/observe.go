package session

import (
	"context"
	"time"
)

// Observe returns store with every call reported to observe: the operation
// ("create", "find", "update", "delete"), how long it took, and its error.
// observe is called on the request's own goroutine and must be quick.
func Observe(store Store, observe func(op string, took time.Duration, err error)) Store {
	return &observed{store: store, observe: observe}
}

type observed struct {
	store   Store
	observe func(op string, took time.Duration, err error)
}

func (o *observed) Create(ctx context.Context, id ID, s Session) error {
	start := time.Now()
	err := o.store.Create(ctx, id, s)
	o.observe("create", time.Since(start), err)
	return err
}

func (o *observed) Find(ctx context.Context, id ID) (Session, bool, error) {
	start := time.Now()
	s, found, err := o.store.Find(ctx, id)
	o.observe("find", time.Since(start), err)
	return s, found, err
}

func (o *observed) Update(ctx context.Context, id ID, s Session) (bool, error) {
	start := time.Now()
	ok, err := o.store.Update(ctx, id, s)
	o.observe("update", time.Since(start), err)
	return ok, err
}

func (o *observed) Delete(ctx context.Context, id ID) error {
	start := time.Now()
	err := o.store.Delete(ctx, id)
	o.observe("delete", time.Since(start), err)
	return err
}
