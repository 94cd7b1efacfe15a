package solo

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"strings"

	"authbench/bench/trial"
)

// Credentials reads those of a file ([trial.ReadCredentials]), or makes one of
// request headers such as "Authorization: Bearer abc". Neither gives none.
func Credentials(file string, headers []string) ([]trial.Credential, error) {
	switch {
	case file != "" && len(headers) > 0:
		return nil, errors.New("headers and a file of credentials exclude each other")
	case len(headers) > 0:
		c, err := fromHeaders(headers)
		return []trial.Credential{c}, err
	case file == "":
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	defer f.Close()
	all, err := trial.ReadCredentials(f)
	if err == nil && len(all) == 0 {
		err = errors.New("it holds none")
	}
	if err != nil {
		return nil, fmt.Errorf("credentials: %s: %w", file, err)
	}
	return all, nil
}

// fromHeaders makes a credential of what authenticates; the driver sends no
// other header.
func fromHeaders(headers []string) (c trial.Credential, err error) {
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		value = strings.TrimSpace(value)
		switch name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)); {
		case !ok || value == "": // what was given may be a secret without its name
			return c, errors.New("a header has no name or no value: want one such as 'Authorization: Bearer abc'")
		case name == "Authorization" && c.Header == "":
			c.Header = value
		case name == "Cookie" && c.Cookies == nil:
			cookies, err := http.ParseCookie(value)
			if err != nil {
				return c, errors.New("the header Cookie cannot be read: want one such as 'Cookie: session=abc'")
			}
			c.Cookies = map[string]string{}
			for _, cookie := range cookies {
				c.Cookies[cookie.Name] = cookie.Value
			}
		case name == "Authorization" || name == "Cookie":
			return c, fmt.Errorf("the header %s is given twice", name)
		default:
			return c, fmt.Errorf("header %q: only Authorization and Cookie can be sent", name)
		}
	}
	return c, nil
}

// users are the credentials as the driver takes them, and whether it is to
// compare each with who is answered.
func (s Settings) users() (all []trial.Credential, check bool, err error) {
	all = s.Credentials
	if len(all) == 0 {
		all = []trial.Credential{{}}
	}
	if len(all) == 1 { // the driver binds a user to one source
		for len(all) < s.Sources {
			all = append(all, all[0])
		}
	}
	if s.Sources > len(all) {
		return nil, false, fmt.Errorf("sources is %d, but there are %d credentials: each source needs one of its own", s.Sources, len(all))
	}
	named := 0
	for _, c := range all {
		if c.User != "" {
			named++
		}
	}
	if named > 0 && named < len(all) {
		return nil, false, fmt.Errorf(`%d of %d credentials name their "user": want all, to have it compared with "sub" in every answer, or none`,
			named, len(all))
	}
	return all, named > 0, nil
}
