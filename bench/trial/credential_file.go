package trial

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ReadCredentials reads credentials until the end of r: one JSON object after
// another (JSON lines), or one JSON list of them. Each is a [Credential], or what
// a replica's POST /mint answers: {"user", "credential", "kind", "name"}. An
// error says which credential cannot be read, and never what is in it.
func ReadCredentials(r io.Reader) ([]Credential, error) {
	in := bufio.NewReader(r)
	list, err := startsList(in)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields() // a misspelt "header" would send no credential at all
	if list {
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
	}
	var all []Credential
	for !list || dec.More() {
		var c credentialRecord
		err := dec.Decode(&c)
		if errors.Is(err, io.EOF) && !list {
			break
		}
		if err == nil {
			err = c.resolve()
		}
		if err != nil {
			return nil, fmt.Errorf("credential %d: %w", len(all)+1, cutShort(err))
		}
		all = append(all, c.Credential)
	}
	if list {
		if _, err := dec.Token(); err != nil {
			return nil, fmt.Errorf("the list is not closed after credential %d: %w", len(all), err)
		}
		if _, err := dec.Token(); err != io.EOF {
			return nil, fmt.Errorf("after the list of %d credentials: something follows", len(all))
		}
	}
	return all, nil
}

// startsList says whether the first thing to come is a list, and reads nothing.
func startsList(in *bufio.Reader) (bool, error) {
	for {
		b, err := in.ReadByte()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
			continue
		}
		return b == '[', in.UnreadByte()
	}
}

// cutShort says in words that the input ends too early.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the input ends in the middle of it")
	}
	return err
}

// credentialRecord is a credential in either form.
type credentialRecord struct {
	Credential
	Minted string `json:"credential"`
	Kind   string `json:"kind"`
	Name   string `json:"name"` // of the cookie
}

// resolve turns a minted credential into what is sent.
func (c *credentialRecord) resolve() error {
	minted := c.Kind != "" || c.Minted != "" || c.Name != ""
	switch {
	case !minted && c.User == "" && c.Header == "" && len(c.Cookies) == 0:
		return errors.New(`it is empty: want "user", "header" or "cookies"`)
	case !minted:
	case c.Header != "" || len(c.Cookies) > 0:
		return errors.New(`"header" and "cookies" do not go with "credential", "kind" and "name"`)
	case c.Kind == "bearer" && c.Minted != "":
		c.Header = "Bearer " + c.Minted
	case c.Kind == "cookie" && c.Minted != "" && c.Name != "":
		c.Cookies = map[string]string{c.Name: c.Minted}
	case c.Kind == "none" && c.Minted == "": // of a control, which authenticates nobody
	default:
		return fmt.Errorf(`kind %q: want "bearer" with a "credential", "cookie" with a "credential" and a "name", or "none" with neither`, c.Kind)
	}
	return nil
}
