package trial

// Credential is one user's means to authenticate, as the driver and the k6
// scripts need it. Files of credentials are secrets: they never stay in a run's
// folder.
type Credential struct {
	User    string            `json:"user"`              // what /me must answer as "sub"
	Header  string            `json:"header,omitempty"`  // whole value of the Authorization header; empty for none
	Cookies map[string]string `json:"cookies,omitempty"` // name to value, route cookies included
}

// Target is what a load is aimed at.
type Target struct {
	URL         string // of the balancer, e.g. http://127.0.0.1:34567
	Path        string // of the request, e.g. /me
	Credentials []Credential
	CheckUser   bool // compare "sub" in every 2xx answer with the credential's user
}
