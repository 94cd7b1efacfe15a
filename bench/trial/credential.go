package trial

// Credential is one user's means to authenticate, as the driver and the k6
// scripts need it. Files of credentials are secrets: they never stay in a run's
// folder.
type Credential struct {
	User    string            `json:"user"`              // what /me must answer as "sub"
	Header  string            `json:"header,omitempty"`  // whole value of the Authorization header; empty for none
	Cookies map[string]string `json:"cookies,omitempty"` // name to value, route cookies included

	Password string `json:"password,omitempty"` // for requests that need one, such as POST /login
	Handle   string `json:"handle,omitempty"`   // of one of the user's sessions, for DELETE /sessions/{handle}
}

// Target is what a load is aimed at.
type Target struct {
	URL         string // of the balancer, e.g. http://127.0.0.1:34567
	Path        string // of the driver's request, e.g. /me; a stream has its own
	Credentials []Credential
	Present     Present // what kind all of them are; empty is valid
	CheckUser   bool    // compare "sub" with the credential's user, in every 2xx answer that must name one
}
