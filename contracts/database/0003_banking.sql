-- The reference schema of the seeded rows. Run as seed_owner.
-- A schema of your own may differ: more columns with defaults, other tables beside these, partitions.

CREATE SCHEMA banking;
REVOKE ALL ON SCHEMA banking FROM PUBLIC;
GRANT USAGE ON SCHEMA banking TO seed_loader;
COMMENT ON SCHEMA banking IS 'The banking data of the tenants.';

CREATE TABLE banking.customer (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    document_number text NOT NULL CHECK (length(document_number) = 11 AND document_number !~ '[^0-9]'),
    full_name text NOT NULL CHECK (full_name <> ''),
    gender text NOT NULL CHECK (gender IN ('F', 'M')),
    birth_date date NOT NULL,
    email text NOT NULL CHECK (email LIKE '_%@_%'),
    phone text NOT NULL CHECK (phone LIKE '+55__9________' AND substr(phone, 2) !~ '[^0-9]'),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'BLOCKED', 'DELINQUENT', 'CANCELED')),
    monthly_income numeric(14, 2) NOT NULL CHECK (monthly_income >= 0),
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT customer_document_number_key UNIQUE (tenant_id, document_number),
    CONSTRAINT customer_email_key UNIQUE (tenant_id, email)
);
COMMENT ON TABLE banking.customer IS 'Natural persons who are customers of a tenant.';
COMMENT ON COLUMN banking.customer.tenant_id IS 'The tenant that the customer belongs to.';
COMMENT ON COLUMN banking.customer.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.customer.document_number IS 'CPF, eleven digits.';
COMMENT ON COLUMN banking.customer.full_name IS 'Given name and surnames.';
COMMENT ON COLUMN banking.customer.gender IS 'F or M.';
COMMENT ON COLUMN banking.customer.birth_date IS 'Date of birth.';
COMMENT ON COLUMN banking.customer.email IS 'E-mail address.';
COMMENT ON COLUMN banking.customer.phone IS 'Mobile number: +55, two digits of area, nine digits.';
COMMENT ON COLUMN banking.customer.status IS 'ACTIVE, BLOCKED, DELINQUENT or CANCELED.';
COMMENT ON COLUMN banking.customer.monthly_income IS 'BRL.';
COMMENT ON COLUMN banking.customer.registered_at IS 'When the person became a customer.';

CREATE TABLE banking.bank_account (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    branch text NOT NULL CHECK (length(branch) = 4 AND branch !~ '[^0-9]'),
    branch_check_digit text NOT NULL
        CHECK (branch_check_digit IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'X')),
    account_number text NOT NULL CHECK (length(account_number) = 8 AND account_number !~ '[^0-9]'),
    account_check_digit text NOT NULL
        CHECK (account_check_digit IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'X')),
    account_type text NOT NULL CHECK (account_type IN ('CHECKING', 'SAVINGS')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'BLOCKED')),
    balance numeric(16, 2) NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT bank_account_number_key UNIQUE (tenant_id, branch, account_number),
    CONSTRAINT bank_account_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer (tenant_id, id)
);
CREATE INDEX bank_account_customer_index ON banking.bank_account (tenant_id, customer_id);
COMMENT ON TABLE banking.bank_account IS 'Accounts of the customers.';
COMMENT ON COLUMN banking.bank_account.tenant_id IS 'The tenant that the account belongs to.';
COMMENT ON COLUMN banking.bank_account.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.bank_account.customer_id IS 'The customer who owns the account.';
COMMENT ON COLUMN banking.bank_account.branch IS 'Four digits.';
COMMENT ON COLUMN banking.bank_account.branch_check_digit IS 'Modulo 11, X for ten.';
COMMENT ON COLUMN banking.bank_account.account_number IS 'Eight digits.';
COMMENT ON COLUMN banking.bank_account.account_check_digit IS 'Modulo 11, X for ten.';
COMMENT ON COLUMN banking.bank_account.account_type IS 'CHECKING or SAVINGS.';
COMMENT ON COLUMN banking.bank_account.status IS 'ACTIVE or BLOCKED.';
COMMENT ON COLUMN banking.bank_account.balance IS 'BRL; negative when overdrawn.';
COMMENT ON COLUMN banking.bank_account.opened_at IS 'When the account was opened.';

ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.bank_account ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.customer TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.bank_account TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON banking.customer, banking.bank_account TO seed_loader;
