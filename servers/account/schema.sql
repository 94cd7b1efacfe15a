CREATE TABLE accounts (
    name text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('user', 'admin')),
    hash text NOT NULL -- of the password: argon2id as a PHC string
);
