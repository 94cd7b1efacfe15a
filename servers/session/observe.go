package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Observe returns store with every call reported to observe: the operation
// (one of [Operations]), how long it took, and its error. It has the optional
// powers Toucher and BySubject, whose methods give errors.ErrUnsupported where
// store lacks them. observe is called on the request's own goroutine and must
// be quick.
func Observe(store Store, observe func(op string, took time.Duration, err error)) *Observed {
	o := &Observed{store: store, observe: observe}
	o.toucher, _ = store.(Toucher)
	o.bySubject, _ = store.(BySubject)
	return o
}

// Operations lists the operations that Observe tells of.
func Operations() []string {
	return []string{"create", "find", "touch", "update", "delete", "list_subject", "delete_subject", "delete_all"}
}

// Observed is a store whose calls are reported.
type Observed struct {
	store     Store
	toucher   Toucher
	bySubject BySubject
	observe   func(op string, took time.Duration, err error)
}

var (
	_ Store     = (*Observed)(nil)
	_ Toucher   = (*Observed)(nil)
	_ BySubject = (*Observed)(nil)
)

// Create implements Store.
func (o *Observed) Create(ctx context.Context, id ID, s Session) error {
	start := time.Now()
	err := o.store.Create(ctx, id, s)
	o.observe("create", time.Since(start), err)
	return err
}

// Find implements Store.
func (o *Observed) Find(ctx context.Context, id ID) (Session, bool, error) {
	start := time.Now()
	s, found, err := o.store.Find(ctx, id)
	o.observe("find", time.Since(start), err)
	return s, found, err
}

// Touch implements Toucher.
func (o *Observed) Touch(ctx context.Context, id ID, every time.Duration) (Session, bool, error) {
	if o.toucher == nil {
		return Session{}, false, unsupported("touch")
	}
	start := time.Now()
	s, found, err := o.toucher.Touch(ctx, id, every)
	o.observe("touch", time.Since(start), err)
	return s, found, err
}

// Update implements Store.
func (o *Observed) Update(ctx context.Context, id ID, s Session) (bool, error) {
	start := time.Now()
	ok, err := o.store.Update(ctx, id, s)
	o.observe("update", time.Since(start), err)
	return ok, err
}

// Delete implements Store.
func (o *Observed) Delete(ctx context.Context, id ID) error {
	start := time.Now()
	err := o.store.Delete(ctx, id)
	o.observe("delete", time.Since(start), err)
	return err
}

// ListSubject implements BySubject.
func (o *Observed) ListSubject(ctx context.Context, subject string) ([]Entry, error) {
	if o.bySubject == nil {
		return nil, unsupported("list by subject")
	}
	start := time.Now()
	entries, err := o.bySubject.ListSubject(ctx, subject)
	o.observe("list_subject", time.Since(start), err)
	return entries, err
}

// DeleteSubject implements BySubject.
func (o *Observed) DeleteSubject(ctx context.Context, subject string, keep ID) error {
	if o.bySubject == nil {
		return unsupported("delete by subject")
	}
	start := time.Now()
	err := o.bySubject.DeleteSubject(ctx, subject, keep)
	o.observe("delete_subject", time.Since(start), err)
	return err
}

// DeleteAll implements BySubject.
func (o *Observed) DeleteAll(ctx context.Context) error {
	if o.bySubject == nil {
		return unsupported("delete all")
	}
	start := time.Now()
	err := o.bySubject.DeleteAll(ctx)
	o.observe("delete_all", time.Since(start), err)
	return err
}

func unsupported(what string) error {
	return fmt.Errorf("session store: %s: %w", what, errors.ErrUnsupported)
}
