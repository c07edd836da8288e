-- Addresses of the customers. Run as seed_owner.

CREATE TABLE banking.address (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('RESIDENTIAL', 'BUSINESS', 'MAILING')),
    is_primary boolean NOT NULL,
    street text NOT NULL CHECK (street <> ''),
    street_number text NOT NULL CHECK (street_number <> ''),
    complement text CHECK (complement <> ''),
    district text NOT NULL CHECK (district <> ''),
    city text NOT NULL CHECK (city <> ''),
    state text NOT NULL CHECK (
        state IN (
            'AC', 'AL', 'AM', 'AP', 'BA', 'CE', 'DF', 'ES', 'GO', 'MA', 'MG', 'MS', 'MT', 'PA', 'PB', 'PE', 'PI', 'PR',
            'RJ', 'RN', 'RO', 'RR', 'RS', 'SC', 'SE', 'SP', 'TO'
        )
    ),
    postal_code text NOT NULL CHECK (length(postal_code) = 8 AND postal_code !~ '[^0-9]'),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT address_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer (tenant_id, id)
);
CREATE INDEX address_customer_index ON banking.address (tenant_id, customer_id);
CREATE UNIQUE INDEX address_primary_index ON banking.address (tenant_id, customer_id) WHERE is_primary;
COMMENT ON TABLE banking.address IS 'Addresses of the customers.';
COMMENT ON COLUMN banking.address.tenant_id IS 'The tenant that the address belongs to.';
COMMENT ON COLUMN banking.address.id IS 'Seeded rows have UUIDs of version 8.';
COMMENT ON COLUMN banking.address.customer_id IS 'The customer whose address it is.';
COMMENT ON COLUMN banking.address.kind IS 'RESIDENTIAL, BUSINESS or MAILING.';
COMMENT ON COLUMN banking.address.is_primary IS 'At most one address of a customer is.';
COMMENT ON COLUMN banking.address.street IS 'Street with its kind, as in Rua dos Ipês.';
COMMENT ON COLUMN banking.address.street_number IS 'Number in the street.';
COMMENT ON COLUMN banking.address.complement IS 'Flat, house, room or shop; null for none.';
COMMENT ON COLUMN banking.address.district IS 'Bairro.';
COMMENT ON COLUMN banking.address.city IS 'City of the state.';
COMMENT ON COLUMN banking.address.state IS 'Abbreviation of the state or Federal District.';
COMMENT ON COLUMN banking.address.postal_code IS 'CEP, eight digits.';
COMMENT ON COLUMN banking.address.created_at IS 'When the address was recorded.';

ALTER TABLE banking.address ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON banking.address TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON banking.address TO seed_loader;
