-- Financial transactions of the accounts. Run as seed_owner.

CREATE TABLE banking.financial_transaction (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    bank_account_id uuid NOT NULL,
    category_id uuid NOT NULL,
    supplier_id uuid,
    installment_id uuid,
    type text NOT NULL CHECK (type IN ('INCOME', 'EXPENSE')),
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    occurred_at timestamptz NOT NULL,
    description text NOT NULL CHECK (description <> ''),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT financial_transaction_account_fkey
        FOREIGN KEY (tenant_id, bank_account_id) REFERENCES banking.bank_account (tenant_id, id),
    CONSTRAINT financial_transaction_category_fkey
        FOREIGN KEY (tenant_id, category_id) REFERENCES banking.account_category (tenant_id, id),
    CONSTRAINT financial_transaction_supplier_fkey
        FOREIGN KEY (tenant_id, supplier_id) REFERENCES banking.supplier (tenant_id, id),
    CONSTRAINT financial_transaction_installment_fkey
        FOREIGN KEY (tenant_id, installment_id) REFERENCES banking.installment (tenant_id, id),
    CONSTRAINT financial_transaction_payment_is_an_expense CHECK (installment_id IS NULL OR type = 'EXPENSE')
);
CREATE INDEX financial_transaction_account_index ON banking.financial_transaction (tenant_id, bank_account_id);
CREATE INDEX financial_transaction_category_index ON banking.financial_transaction (tenant_id, category_id);
CREATE INDEX financial_transaction_supplier_index
    ON banking.financial_transaction (tenant_id, supplier_id) WHERE supplier_id IS NOT NULL;
CREATE UNIQUE INDEX financial_transaction_installment_key
    ON banking.financial_transaction (tenant_id, installment_id) WHERE installment_id IS NOT NULL;
COMMENT ON TABLE banking.financial_transaction IS 'Income and expenses of the bank accounts.';
COMMENT ON COLUMN banking.financial_transaction.tenant_id IS 'The tenant that the transaction belongs to.';
COMMENT ON COLUMN banking.financial_transaction.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.financial_transaction.bank_account_id IS 'The account.';
COMMENT ON COLUMN banking.financial_transaction.category_id IS 'What kind of income or expense it is.';
COMMENT ON COLUMN banking.financial_transaction.supplier_id IS 'Whom an expense went to, if it is known.';
COMMENT ON COLUMN banking.financial_transaction.installment_id IS 'The installment that it pays, if it pays one.';
COMMENT ON COLUMN banking.financial_transaction.type IS 'INCOME or EXPENSE.';
COMMENT ON COLUMN banking.financial_transaction.amount IS 'BRL, above zero.';
COMMENT ON COLUMN banking.financial_transaction.occurred_at IS 'When it was booked.';
COMMENT ON COLUMN banking.financial_transaction.description IS 'As on a statement.';

ALTER TABLE banking.financial_transaction ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.financial_transaction TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON banking.financial_transaction TO seed_loader;
