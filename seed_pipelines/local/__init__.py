"""The local stack: PostgreSQL, OpenBao and an S3 emulator under one directory."""
