-- Lists of bans and invitations are turned page by page, and what one asks of all invitations of
-- a hub is answered without reading them.
CREATE INDEX ban_of_hub ON ban (hub, created_at, caller);
CREATE INDEX invite_open ON invite (hub, expires_at) WHERE used_at IS NULL;
CREATE INDEX invite_of_user ON invite (hub, used_by) WHERE used_by IS NOT NULL;
