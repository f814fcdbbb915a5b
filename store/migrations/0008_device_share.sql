-- Which device a vault opens: its share goes with the device.
ALTER TABLE vault_share ADD COLUMN device BLOB REFERENCES device (id);
