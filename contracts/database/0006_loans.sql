-- Loans and their installments. Run as seed_owner.

CREATE TABLE banking.loan (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    consultant_id uuid,
    amortization_system text NOT NULL CHECK (amortization_system IN ('PRICE', 'SAC')),
    principal numeric(14, 2) NOT NULL CHECK (principal > 0),
    monthly_rate_pct numeric(6, 2) NOT NULL CHECK (monthly_rate_pct > 0),
    term smallint NOT NULL CHECK (term > 0),
    iof numeric(14, 2) NOT NULL CHECK (iof >= 0),
    net_amount numeric(14, 2) NOT NULL CHECK (net_amount = principal - iof),
    cet_yearly_pct numeric(10, 2) NOT NULL,
    disbursed_on date NOT NULL,
    status text NOT NULL CHECK (status IN ('IN_PROGRESS', 'PAID_OFF', 'IN_COLLECTION', 'CANCELED')),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT loan_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer (tenant_id, id),
    CONSTRAINT loan_consultant_fkey FOREIGN KEY (tenant_id, consultant_id) REFERENCES banking.consultant (tenant_id, id)
);
CREATE INDEX loan_customer_index ON banking.loan (tenant_id, customer_id);
CREATE INDEX loan_consultant_index ON banking.loan (tenant_id, consultant_id);
COMMENT ON TABLE banking.loan IS 'Personal loans of the customers.';
COMMENT ON COLUMN banking.loan.tenant_id IS 'The tenant that the loan belongs to.';
COMMENT ON COLUMN banking.loan.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.loan.customer_id IS 'The borrower.';
COMMENT ON COLUMN banking.loan.consultant_id IS 'Who sold the loan, if anybody did.';
COMMENT ON COLUMN banking.loan.amortization_system IS 'PRICE (equal installments) or SAC (equal amortisation).';
COMMENT ON COLUMN banking.loan.principal IS 'BRL lent, before tax.';
COMMENT ON COLUMN banking.loan.monthly_rate_pct IS 'Interest, per cent a month.';
COMMENT ON COLUMN banking.loan.term IS 'Number of monthly installments.';
COMMENT ON COLUMN banking.loan.iof IS 'BRL of tax (IOF), kept from the payout.';
COMMENT ON COLUMN banking.loan.net_amount IS 'BRL paid out.';
COMMENT ON COLUMN banking.loan.cet_yearly_pct IS 'Total effective cost (CET), per cent a year.';
COMMENT ON COLUMN banking.loan.disbursed_on IS 'When the loan was paid out.';
COMMENT ON COLUMN banking.loan.status IS 'IN_PROGRESS, PAID_OFF, IN_COLLECTION or CANCELED.';

CREATE TABLE banking.installment (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    loan_id uuid NOT NULL,
    number smallint NOT NULL CHECK (number > 0),
    due_on date NOT NULL,
    principal_amount numeric(14, 2) NOT NULL CHECK (principal_amount > 0),
    interest_amount numeric(14, 2) NOT NULL CHECK (interest_amount >= 0),
    amount numeric(14, 2) NOT NULL CHECK (amount = principal_amount + interest_amount),
    paid_amount numeric(14, 2) NOT NULL CHECK (paid_amount BETWEEN 0 AND amount),
    paid_on date CHECK ((paid_on IS NULL) = (paid_amount = 0)),
    status text NOT NULL CHECK (status IN ('PENDING', 'PAID', 'OVERDUE', 'PARTIALLY_PAID')),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT installment_number_key UNIQUE (tenant_id, loan_id, number),
    CONSTRAINT installment_loan_fkey FOREIGN KEY (tenant_id, loan_id) REFERENCES banking.loan (tenant_id, id)
);
COMMENT ON TABLE banking.installment IS 'Installments of the loans.';
COMMENT ON COLUMN banking.installment.tenant_id IS 'The tenant that the installment belongs to.';
COMMENT ON COLUMN banking.installment.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.installment.loan_id IS 'The loan.';
COMMENT ON COLUMN banking.installment.number IS 'From 1 to the term of the loan.';
COMMENT ON COLUMN banking.installment.due_on IS 'When it is due.';
COMMENT ON COLUMN banking.installment.principal_amount IS 'BRL that repay the loan.';
COMMENT ON COLUMN banking.installment.interest_amount IS 'BRL of interest on the balance before it.';
COMMENT ON COLUMN banking.installment.amount IS 'BRL due: principal and interest.';
COMMENT ON COLUMN banking.installment.paid_amount IS 'BRL paid so far.';
COMMENT ON COLUMN banking.installment.paid_on IS 'When the last payment came in.';
COMMENT ON COLUMN banking.installment.status IS 'PENDING, PAID, OVERDUE or PARTIALLY_PAID.';

ALTER TABLE banking.loan ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE banking.installment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.loan TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
CREATE POLICY tenant ON banking.installment TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON banking.loan, banking.installment TO seed_loader;
