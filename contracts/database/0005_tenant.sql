-- Rows of the tenant itself: users, consultants, categories, suppliers. Run as seed_owner.

CREATE TABLE banking.tenant_user (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    full_name text NOT NULL CHECK (full_name <> ''),
    email text NOT NULL CHECK (email LIKE '_%@_%'),
    role text NOT NULL CHECK (role IN ('ADMIN', 'MANAGER', 'ANALYST', 'AUDITOR')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT tenant_user_email_key UNIQUE (tenant_id, email)
);
COMMENT ON TABLE banking.tenant_user IS 'People of the tenant who use the application.';
COMMENT ON COLUMN banking.tenant_user.tenant_id IS 'The tenant that the row belongs to.';
COMMENT ON COLUMN banking.tenant_user.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.tenant_user.full_name IS 'Given name and surnames.';
COMMENT ON COLUMN banking.tenant_user.email IS 'E-mail address.';
COMMENT ON COLUMN banking.tenant_user.role IS 'ADMIN, MANAGER, ANALYST or AUDITOR.';
COMMENT ON COLUMN banking.tenant_user.status IS 'ACTIVE or SUSPENDED.';
COMMENT ON COLUMN banking.tenant_user.created_at IS 'When the person was let in.';

CREATE TABLE banking.consultant (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    document_number text NOT NULL CHECK (length(document_number) = 11 AND document_number !~ '[^0-9]'),
    full_name text NOT NULL CHECK (full_name <> ''),
    email text NOT NULL CHECK (email LIKE '_%@_%'),
    phone text NOT NULL CHECK (phone LIKE '+55__9________' AND substr(phone, 2) !~ '[^0-9]'),
    commission_pct numeric(5, 2) NOT NULL CHECK (commission_pct BETWEEN 0 AND 100),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    hired_on date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT consultant_document_number_key UNIQUE (tenant_id, document_number),
    CONSTRAINT consultant_email_key UNIQUE (tenant_id, email)
);
COMMENT ON TABLE banking.consultant IS 'People who sell loans for the tenant.';
COMMENT ON COLUMN banking.consultant.tenant_id IS 'The tenant that the row belongs to.';
COMMENT ON COLUMN banking.consultant.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.consultant.document_number IS 'CPF, eleven digits.';
COMMENT ON COLUMN banking.consultant.full_name IS 'Given name and surnames.';
COMMENT ON COLUMN banking.consultant.email IS 'E-mail address.';
COMMENT ON COLUMN banking.consultant.phone IS 'Mobile number: +55, two digits of area, nine digits.';
COMMENT ON COLUMN banking.consultant.commission_pct IS 'Per cent of the principal of a loan.';
COMMENT ON COLUMN banking.consultant.status IS 'ACTIVE or INACTIVE.';
COMMENT ON COLUMN banking.consultant.hired_on IS 'When the work began.';

CREATE TABLE banking.account_category (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    code text NOT NULL CHECK (code ~ '^[DR]-[0-9]{7}$'),
    name text NOT NULL CHECK (name <> ''),
    type text NOT NULL CHECK (type IN ('INCOME', 'EXPENSE')),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT account_category_code_key UNIQUE (tenant_id, code)
);
COMMENT ON TABLE banking.account_category IS 'What income and expenses are filed under.';
COMMENT ON COLUMN banking.account_category.tenant_id IS 'The tenant that the row belongs to.';
COMMENT ON COLUMN banking.account_category.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.account_category.code IS 'D for expenses or R for income, and a number.';
COMMENT ON COLUMN banking.account_category.name IS 'In Portuguese.';
COMMENT ON COLUMN banking.account_category.type IS 'INCOME or EXPENSE.';

CREATE TABLE banking.supplier (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    document_number text NOT NULL CHECK (document_number ~ '^[0-9A-Z]{12}[0-9]{2}$'),
    legal_name text NOT NULL CHECK (legal_name <> ''),
    contact_name text NOT NULL CHECK (contact_name <> ''),
    email text NOT NULL CHECK (email LIKE '_%@_%'),
    phone text NOT NULL CHECK (phone LIKE '+55__9________' AND substr(phone, 2) !~ '[^0-9]'),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE')),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT supplier_document_number_key UNIQUE (tenant_id, document_number),
    CONSTRAINT supplier_email_key UNIQUE (tenant_id, email)
);
COMMENT ON TABLE banking.supplier IS 'Companies that the customers buy from.';
COMMENT ON COLUMN banking.supplier.tenant_id IS 'The tenant that the row belongs to.';
COMMENT ON COLUMN banking.supplier.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.supplier.document_number IS 'CNPJ, fourteen characters, the last two of them digits.';
COMMENT ON COLUMN banking.supplier.legal_name IS 'Name of the company.';
COMMENT ON COLUMN banking.supplier.contact_name IS 'Whom to ask for.';
COMMENT ON COLUMN banking.supplier.email IS 'E-mail address of the contact.';
COMMENT ON COLUMN banking.supplier.phone IS 'Mobile number: +55, two digits of area, nine digits.';
COMMENT ON COLUMN banking.supplier.status IS 'ACTIVE or INACTIVE.';

ALTER TABLE banking.tenant_user ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.consultant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.account_category ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.supplier ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.tenant_user TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.consultant TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.account_category TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.supplier TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE
    ON banking.tenant_user, banking.consultant, banking.account_category, banking.supplier TO seed_loader;
