package token

import (
	"context"
	"crypto/sha256"
	"time"
)

// Follow reads the folder every interval and goes over to the keys that it then
// holds, until ctx ends: the bound within which a change of keys takes effect
// here is that interval, plus the moment that reading takes. Requests in flight
// end with the keys that they began with.
//
// A file that is no good is left out, and a folder that cannot be read changes
// nothing; report is told of either, once as long as it stays the same. Where
// the key that signs is missing or no good, tokens are verified and none is
// issued.
func (a *Authenticator) Follow(ctx context.Context, f Folder, interval time.Duration, report func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := a.reload(f)
		switch {
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			report(err)
		}
	}
}

// reload takes the folder's keys if they are not the ones in use.
func (a *Authenticator) reload(f Folder) error {
	ks, err := f.load(a.cfg.Now())
	if ks == nil {
		return err
	}
	if old := a.set(); ks.source == [sha256.Size]byte{} || ks.source != old.source {
		a.keys.Store(ks)
	}
	return err
}
