-- What whoever used an invitation has to show to the hub's admins.
ALTER TABLE invite ADD COLUMN voucher BLOB;
