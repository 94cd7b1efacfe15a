package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64url.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	// RFC 7515, appendix A.1: the payload of A.1 to A.3.
	rfcPayload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	rfcSecret  = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
	// RFC 7515, appendix A.2.
	rfcModulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
	// RFC 7515, appendix A.3.
	rfcX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	rfcY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	// RFC 8037, appendix A.1.
	rfcSeed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
)

// rfcPoint is the public key of RFC 7515's example.
func rfcPoint(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, unbase64(t, rfcX), unbase64(t, rfcY)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestPublishedSignatures holds each algorithm to its RFC's own example.
func TestPublishedSignatures(t *testing.T) {
	seed := ed25519.NewKeyFromSeed(unbase64(t, rfcSeed))
	for name, c := range map[string]struct {
		s     signature
		token string
	}{
		"HS256, RFC 7515 A.1": {
			newSecret(unbase64(t, rfcSecret)),
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfcPayload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		},
		"RS256, RFC 7515 A.2": {
			&pair{method: jwt.SigningMethodRS256, public: &rsa.PublicKey{N: new(big.Int).SetBytes(unbase64(t, rfcModulus)), E: 65537}},
			"eyJhbGciOiJSUzI1NiJ9." + rfcPayload + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		"ES256, RFC 7515 A.3": {
			&pair{method: jwt.SigningMethodES256, public: rfcPoint(t)},
			"eyJhbGciOiJFUzI1NiJ9." + rfcPayload + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
		"EdDSA, RFC 8037 A.4": {
			&pair{method: jwt.SigningMethodEdDSA, private: seed, public: seed.Public()},
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		},
	} {
		parts, err := cut(c.token)
		if err != nil {
			t.Fatal(err)
		}
		if !c.s.verify(parts.signed, unbase64(t, parts.signature)) {
			t.Errorf("%s: not verified", name)
		}
		if c.s.verify(strings.ToUpper(parts.signed), unbase64(t, parts.signature)) {
			t.Errorf("%s: verified over another text", name)
		}
		if strings.HasPrefix(name, "HS256") || strings.HasPrefix(name, "EdDSA") { // the ones with one signature for a text
			sig, err := c.s.sign(parts.signed)
			if err != nil || base64url.EncodeToString(sig) != parts.signature {
				t.Errorf("%s: signed otherwise (%v)", name, err)
			}
		}
	}
}

// TestPublishedThumbprints: RFC 7638, section 3.1, and RFC 8037, appendix A.3.
func TestPublishedThumbprints(t *testing.T) {
	for want, public := range map[string]any{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": &rsa.PublicKey{E: 65537, N: new(big.Int).SetBytes(unbase64(t,
			"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed25519.NewKeyFromSeed(unbase64(t, rfcSeed)).Public(),
	} {
		j, err := newJWK(public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := j.thumbprint(); err != nil || got != want {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
	}
	j, err := newJWK(rfcPoint(t))
	if err != nil || j.X != rfcX || j.Y != rfcY || j.Curve != "P-256" || j.Type != "EC" {
		t.Errorf("P-256: %+v (%v)", j, err)
	}
}
