package account

import (
	"context"
	"sync"
)

// Memory keeps accounts in this process, for the arms that need no database.
type Memory struct {
	mu    sync.RWMutex
	users map[string]User
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{users: make(map[string]User)} }

var _ Store = (*Memory)(nil)

// Find implements Store.
func (m *Memory) Find(_ context.Context, name string) (User, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	u, ok := m.users[name]
	return u, ok, nil
}

// Add implements Store.
func (m *Memory) Add(_ context.Context, users []User) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	added := 0
	for _, u := range users {
		if _, taken := m.users[u.Name]; !taken {
			m.users[u.Name] = u
			added++
		}
	}
	return added, nil
}

// Replace implements Store.
func (m *Memory) Replace(_ context.Context, old, new User) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.users[old.Name]; !ok || u != old || new.Name != old.Name {
		return false, nil
	}
	m.users[new.Name] = new
	return true, nil
}
