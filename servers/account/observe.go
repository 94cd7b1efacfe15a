package account

import (
	"context"
	"time"
)

// Observe returns store with every call reported to observe: the operation
// ("find", "add", "replace"), how long it took, and its error.
func Observe(store Store, observe func(op string, took time.Duration, err error)) Store {
	return &observed{store: store, observe: observe}
}

type observed struct {
	store   Store
	observe func(op string, took time.Duration, err error)
}

func (o *observed) Find(ctx context.Context, name string) (User, bool, error) {
	start := time.Now()
	u, found, err := o.store.Find(ctx, name)
	o.observe("find", time.Since(start), err)
	return u, found, err
}

func (o *observed) Add(ctx context.Context, users []User) (int, error) {
	start := time.Now()
	n, err := o.store.Add(ctx, users)
	o.observe("add", time.Since(start), err)
	return n, err
}

func (o *observed) Replace(ctx context.Context, old, new User) (bool, error) {
	start := time.Now()
	ok, err := o.store.Replace(ctx, old, new)
	o.observe("replace", time.Since(start), err)
	return ok, err
}
