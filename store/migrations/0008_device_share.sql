-- Which device a vault opens: its share goes with the device.
ALTER TABLE vault_share ADD COLUMN device BLOB REFERENCES device (id);
-- Which device is on paper: its login is somebody's way back in.
ALTER TABLE recovery_escrow ADD COLUMN device BLOB REFERENCES device (id);
