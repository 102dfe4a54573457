/** Units of `systemd --user` get through at their first attempt, while the managers of users start and stop. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type Allowed,
  allowing,
  connectingUnit,
  firstAttempt,
  refused,
  service,
  startNetsteward,
} from './allowed-units.ts';
import { type Container, skip } from './container.ts';
import { connecting, connections } from './packets.ts';
import { type UserSession, userSession } from './user-session.ts';

const managers = 'user.slice/user-*.slice/user@*.service';

const ofUsers: readonly Allowed[] = [
  // The trigger is what a user manager's own entries in the journal call it.
  {
    unit: 'user@*.service/app.slice/mine.service',
    path: `${managers}/app.slice/mine.service`,
    trigger: 'mine.service',
  },
  { unit: 'app-*.scope', path: `${managers}/app.slice/app-*.scope`, trigger: 'app-x.scope' },
  {
    unit: 'user@*.service/**/many@*.service',
    path: `${managers}/app.slice/app-many.slice/many@*.service`,
    trigger: 'many@x.service',
  },
  { unit: 'user@*.service/**/eager.service', path: `${managers}/app.slice/eager.service`, trigger: 'eager.service' },
  // As of a login by ssh: the trigger is what the connection comes in by.
  {
    unit: 'user-*.slice/session-*.scope',
    path: 'user.slice/user-*.slice/session-*.scope',
    trigger: 'ssh.service',
  },
  // All that the third user does.
  { unit: 'user-1002.slice', path: 'user.slice/user-1002.slice' },
  { unit: 'system.service', path: 'system.slice/system.service' },
];

const files = {
  '/etc/systemd/user/mine.service': connectingUnit('%h/connection'),
  '/etc/systemd/user/many@.service': connectingUnit('%h/connection'),
  // Starts with the manager itself.
  '/etc/systemd/user/eager.service': connectingUnit('%h/eager', { flags: '-t 60' }),
  '/etc/systemd/user/default.target.d/eager.conf': '[Unit]\nWants=eager.service\n',
  '/etc/systemd/user/stranger.service': connectingUnit('%h/connection').replace('-t 3', '-t 0.1'),
  '/etc/systemd/system/system.service': connectingUnit('/run/connection'),
  '/etc/systemd/user/system.service': connectingUnit('%h/connection').replace('-t 3', '-t 0.1'),
};

const fileOf = (user: UserSession): string => `/home/${user.name}/connection`;

for (const [tree, way] of [
  ['bookworm', 'groups'],
  ['bookworm', 'comments'],
  ['trixie', 'groups'],
  ['trixie', 'comments'],
] as const) {
  describe(`units of users with ${way}, in ${tree}`, { skip }, () => {
    let box: Container;
    let alice: UserSession;
    before(async () => {
      box = await allowing({ tree, way, allowed: ofUsers, files });
      alice = await userSession(box);
    });
    after(() => box?.stop());

    const startOf = (user: UserSession, unit: string) => () => user.run(['systemctl', '--user', 'restart', unit]);

    test('a service of a user gets through at its first attempt', async () => {
      const made = await firstAttempt(box, fileOf(alice), startOf(alice, 'mine.service'));
      assert.equal(made.cgroup, `${alice.cgroup}/app.slice/mine.service`);
    });

    test('an instance of a template gets through at its first attempt', async () => {
      const made = await firstAttempt(box, fileOf(alice), startOf(alice, 'many@one.service'));
      assert.equal(made.cgroup, `${alice.cgroup}/app.slice/app-many.slice/many@one.service`);
    });

    test('a scope of a program gets through at its first attempt', async () => {
      let count = 0;
      const made = await firstAttempt(box, fileOf(alice), () => {
        count += 1;
        const argv = connecting(fileOf(alice), '-t 3').split(' ').filter(Boolean);
        const scope = ['--scope', '--slice=app.slice', `--unit=app-browser-${count}.scope`];
        return alice.run(['systemd-run', '--user', '--quiet', ...scope, ...argv]);
      });
      assert.match(made.cgroup, /\/app\.slice\/app-browser-\d\.scope$/);
    });

    test('a unit that nothing allows stays refused, and so does one named as a unit of the system’s', async () => {
      await refused(box, fileOf(alice), startOf(alice, 'stranger.service'));
      await refused(box, fileOf(alice), startOf(alice, 'system.service'));
      await firstAttempt(box, '/run/connection', () => box.run(['systemctl', 'restart', 'system.service']));
    });

    test('what starts with the manager of a user gets through at its first attempt, each time it does', async () => {
      await connections(box, '/home/alice/eager', 1);
      const made = await firstAttempt(box, '/home/alice/eager', async () => {
        await alice.end();
        await alice.begin();
      });
      assert.equal(made.cgroup, `${alice.cgroup}/app.slice/eager.service`);
      await firstAttempt(box, fileOf(alice), startOf(alice, 'mine.service'));
    });

    test('what a manager has started while netsteward did not run is let through when it does', async () => {
      await box.run(['systemctl', 'stop', service]);
      await alice.end();
      await box.run(['rm', '-f', '/home/alice/eager']);
      await alice.begin();
      await startNetsteward(box, way);
      const [made] = await connections(box, '/home/alice/eager', 1);
      assert.deepEqual([made?.first_result, typeof made?.first_success], ['refused', 'number']);
      await firstAttempt(box, fileOf(alice), startOf(alice, 'mine.service'));
    });

    test('the units of a user who comes later get through at their first attempts', async () => {
      const bob = await userSession(box, 'bob');
      assert.notEqual(bob.cgroup, alice.cgroup);
      const made = await firstAttempt(box, fileOf(bob), startOf(bob, 'mine.service'));
      assert.equal(made.cgroup, `${bob.cgroup}/app.slice/mine.service`);
      await bob.end();
      await firstAttempt(box, fileOf(alice), startOf(alice, 'mine.service'));
    });

    test('a user whose slice is allowed may do all, by units and by logins', async () => {
      const carol = await userSession(box, 'carol');
      assert.equal(carol.uid, 1002);
      const made = await firstAttempt(box, fileOf(carol), startOf(carol, 'stranger.service'));
      assert.equal(made.cgroup, `${carol.cgroup}/app.slice/stranger.service`);
      await carol.end();
      await refused(box, fileOf(alice), startOf(alice, 'stranger.service'));
    });

    test('the session of a login gets through at its first attempt, by a rule that another unit triggers', async () => {
      let count = 0;
      const made = await firstAttempt(box, '/run/connection', () => {
        count += 1;
        const argv = connecting('/run/connection', '-t 3').split(' ').filter(Boolean);
        const scope = ['--scope', '--slice=user-1000.slice', `--unit=session-9${count}.scope`];
        return box.run(['systemd-run', '--quiet', ...scope, ...argv]);
      });
      assert.match(made.cgroup, /^\/user\.slice\/user-1000\.slice\/session-9\d\.scope$/);
    });
  });
}
