-- Limits of accounts, and contracts of loans. Run as seed_owner.

CREATE TABLE banking.credit_limit (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    bank_account_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('OVERDRAFT', 'CREDIT_CARD')),
    total_amount numeric(14, 2) NOT NULL CHECK (total_amount >= 0),
    used_amount numeric(14, 2) NOT NULL CHECK (used_amount BETWEEN 0 AND total_amount),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'FROZEN', 'CANCELED')),
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT credit_limit_canceled_check CHECK (status <> 'CANCELED' OR used_amount = 0),
    CONSTRAINT credit_limit_bank_account_key UNIQUE (tenant_id, bank_account_id),
    CONSTRAINT credit_limit_bank_account_fkey
        FOREIGN KEY (tenant_id, bank_account_id) REFERENCES banking.bank_account (tenant_id, id)
);
COMMENT ON TABLE banking.credit_limit IS 'Overdraft and card limits of the accounts, at most one to an account.';
COMMENT ON COLUMN banking.credit_limit.tenant_id IS 'The tenant that the limit belongs to.';
COMMENT ON COLUMN banking.credit_limit.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.credit_limit.bank_account_id IS 'The account.';
COMMENT ON COLUMN banking.credit_limit.kind IS 'OVERDRAFT or CREDIT_CARD.';
COMMENT ON COLUMN banking.credit_limit.total_amount IS 'BRL granted.';
COMMENT ON COLUMN banking.credit_limit.used_amount IS 'BRL in use; none once canceled.';
COMMENT ON COLUMN banking.credit_limit.status IS 'ACTIVE, FROZEN or CANCELED.';
COMMENT ON COLUMN banking.credit_limit.granted_at IS 'When the limit was granted.';

CREATE TABLE banking.contract (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    loan_id uuid NOT NULL,
    number text NOT NULL CHECK (number <> ''),
    template_version text NOT NULL CHECK (template_version <> ''),
    signed_at timestamptz NOT NULL,
    expires_on date NOT NULL CHECK (expires_on >= (signed_at AT TIME ZONE 'UTC')::date),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'REVOKED')),
    body text NOT NULL CHECK (body IS JSON OBJECT WITH UNIQUE KEYS),
    payload_hash text NOT NULL CHECK (length(payload_hash) = 64 AND payload_hash !~ '[^0-9a-f]'),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT contract_number_key UNIQUE (tenant_id, number),
    CONSTRAINT contract_loan_key UNIQUE (tenant_id, loan_id),
    CONSTRAINT contract_loan_fkey FOREIGN KEY (tenant_id, loan_id) REFERENCES banking.loan (tenant_id, id)
);
COMMENT ON TABLE banking.contract IS 'Signed contracts of the loans, at most one to a loan.';
COMMENT ON COLUMN banking.contract.tenant_id IS 'The tenant that the contract belongs to.';
COMMENT ON COLUMN banking.contract.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.contract.loan_id IS 'The loan.';
COMMENT ON COLUMN banking.contract.number IS 'Unique in the tenant; seeded ones are CCB, the year, eleven digits and a check digit.';
COMMENT ON COLUMN banking.contract.template_version IS 'The version of the text that was signed.';
COMMENT ON COLUMN banking.contract.signed_at IS 'When it was signed.';
COMMENT ON COLUMN banking.contract.expires_on IS 'When the last installment is due.';
COMMENT ON COLUMN banking.contract.status IS 'ACTIVE, EXPIRED (the loan is paid off) or REVOKED (the loan was canceled).';
COMMENT ON COLUMN banking.contract.body IS 'The terms as JSON, by contracts/loan-contract.schema.json.';
COMMENT ON COLUMN banking.contract.payload_hash IS 'SHA-256 of the UTF-8 bytes of the body, in hexadecimal.';

ALTER TABLE banking.credit_limit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.contract ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.credit_limit TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.contract TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON banking.credit_limit, banking.contract TO seed_loader;
