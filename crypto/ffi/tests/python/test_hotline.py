"""What the members of a hotline do in an app, and what a lying server gets."""

import unittest

from people import HUB, Refusals, crypto, knowing, now_ms, person

ADMIN, VOLUNTEER = 1, 2


def founded():
    admin = person()
    roles = [
        crypto.Role(id=ADMIN, admin=True, reviewer=False, permissions=2**63),
        crypto.Role(id=VOLUNTEER, admin=False, reviewer=False, permissions=0),
    ]
    admin.create_hub(HUB, roles, ADMIN, now_ms())
    assert admin.is_hub_key_due(HUB)
    key = admin.new_hub_key(HUB, None, crypto.People(), now_ms())
    assert not admin.is_hub_key_due(HUB)
    return admin, key


class Hotline(Refusals, unittest.TestCase):
    def test_a_volunteer_joins_reads_settings_finds_names_and_leaves(self):
        admin, key = founded()
        ben = person()
        people = knowing(admin, ben)
        admin.add_member(HUB, ben.user(), VOLUNTEER, people, now_ms())
        text = '{"name":"línea nocturna"}'.encode()
        self.assertEqual(admin.settings_revision(HUB), 0)
        settings = admin.seal_settings(HUB, text, people, now_ms())
        wrap = admin.wrap_hub_key(HUB, ben.user(), people)

        ben.follow_hub(HUB, admin.roster(HUB), admin.roster_head(HUB), people)
        ben.open_hub_key(HUB, wrap)
        ben.open_search_root(HUB, key.search_root)
        self.assertEqual(ben.open_settings(HUB, settings), text)
        self.assertEqual(ben.settings_revision(HUB), 1)
        tokens = ben.index(HUB, "name", "María  LÓPEZ")
        self.assertEqual(tokens, admin.index(HUB, "name", "maría lópez"))
        self.assertEqual(len(tokens), 2)
        self.assertRegex(ben.index(HUB, "phone", "+4930123456")[0], r"^[0-9a-f]{32}$")
        roles = {member.user: member.role for member in ben.members(HUB)}
        self.assertEqual(roles, {admin.user(): ADMIN, ben.user(): VOLUNTEER})
        defined = {role.id: (role.admin, role.permissions) for role in ben.roles(HUB)}
        self.assertEqual(defined, {ADMIN: (True, 2**63), VOLUNTEER: (False, 0)})
        readers = ben.readers(HUB, "case", ben.user())
        self.assertEqual(set(readers), {admin.user(), ben.user()})
        refused = (HUB, admin.user(), people, now_ms())
        self.refused("not-allowed", ben.remove_member, *refused)

        before = admin.roster(HUB)
        admin.remove_member(HUB, ben.user(), people, now_ms())
        self.assertTrue(admin.is_hub_key_due(HUB))
        after = admin.new_hub_key(HUB, settings, people, now_ms())
        self.assertEqual([wrap.user for wrap in after.wraps], [admin.user()])
        ben.follow_hub(HUB, admin.roster(HUB), None, people)
        self.refused("key-needed", ben.open_settings, HUB, after.settings)
        self.refused("rollback", ben.open_settings, HUB, settings)
        self.refused("rollback", ben.follow_hub, HUB, before, None, people)
        self.refused("moved", ben.follow_hub, "12" * 16, before, None, people)

    def test_roles_change_and_lost_devices_are_noted(self):
        admin, _ = founded()
        ben = person()
        admin.add_member(HUB, ben.user(), VOLUNTEER, knowing(ben), now_ms())
        reviewer = crypto.Role(id=3, admin=False, reviewer=True, permissions=5)
        admin.define_role(HUB, reviewer, knowing(ben), now_ms())
        admin.change_role(HUB, ben.user(), 3, knowing(ben), now_ms())
        self.assertIn(reviewer, admin.roles(HUB))
        self.assertFalse(admin.note_devices(HUB, knowing(ben), now_ms()))
        sheet = ben.make_recovery_key(now_ms())
        ben.revoke_device(sheet.device(), now_ms())
        ben.rotate_key(now_ms())
        self.assertTrue(admin.note_devices(HUB, knowing(ben), now_ms()))
        self.assertTrue(admin.is_hub_key_due(HUB))
        admin.forget_hub(HUB)
        self.refused("key-needed", admin.roster, HUB)


if __name__ == "__main__":
    unittest.main()
