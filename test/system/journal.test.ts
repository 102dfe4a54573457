/** The journal of a real systemd: what happens to journald, its files and journalctl while units start; who may write and read what. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type Follower,
  type JournalBench,
  jobsOf,
  journalSuite,
  lastWord,
  type Told,
  untilFound,
  untilTold,
} from '../contract/journal-suite.ts';
import { bootContainer, type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import type { Command } from './inside.ts';
import { type UserSession, userSession } from './user-session.ts';

const program = ['node', '/opt/netsteward/dist/test/system/journal-child.js'];

interface Process extends Follower {
  readonly command: Command;
}

function follow(box: Container, options: { readonly uid?: number } = {}): Process {
  const command = box.spawn(program, options);
  return {
    command,
    told: () => {
      const lines = command.stdout().split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line) as Told);
    },
    close: async () => {
      if (!command.kill()) return;
      assert.equal((await command.finished).code, 0, command.stderr());
    },
  };
}

function lostBecause(follower: Follower): string {
  const told = lastWord(follower);
  return told !== undefined && 'lost' in told ? told.lost : '';
}

/** A unit that succeeds, as soon as it is through. */
async function start(box: Container, unit: string): Promise<void> {
  await box.run(['systemd-run', '--quiet', '--wait', '--collect', `--unit=${unit}`, 'true']);
}

/** What pid 1 logs while journald is not running goes to the kernel's log, without its fields: it waits until it runs again. */
const killJournald = `
state() { systemctl show --property=MainPID,ActiveState systemd-journald.service; }
before=$(state)
systemctl kill --signal=KILL systemd-journald.service
until [ "$(state)" != "$before" ] && systemctl --quiet is-active systemd-journald.service; do sleep 0.05; done
`;

/** Writes an entry about unit $1 as if it were systemd, from the cgroup $2 if that is given. */
const forge = `#!/bin/sh -eu
if [ $# -gt 1 ]; then echo $$ > "$2"; fi
printf '%s\\n' MESSAGE=x SYSLOG_IDENTIFIER=systemd JOB_RESULT=done JOB_TYPE=start UNIT="$1" USER_UNIT="$1" _SYSTEMD_UNIT=init.scope |
  logger --journald
`;

/** Another name for journalctl, for when that may not be run. */
const copy = '/usr/local/sbin/journalctl-copy';

/** journalctl is killed, and cannot be started again until `work` is done. */
async function interrupted(box: Container, work: () => Promise<void>): Promise<void> {
  await box.run(['chmod', '0000', '/usr/bin/journalctl']);
  await box.run(['sh', '-euc', 'for pid in $(pgrep -x journalctl); do kill -9 "$pid"; done']);
  try {
    await work();
  } finally {
    await box.run(['chmod', '0755', '/usr/bin/journalctl']);
  }
}

for (const tree of ['bookworm', 'trixie'] as const) {
  describe(`the journal of ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      box = await bootContainer({ tree });
      await box.run(['cp', '/usr/bin/journalctl', copy]);
    });
    after(() => box?.stop());

    describe('as every journal', () => {
      journalSuite(
        (): JournalBench => ({
          follow: () => follow(box),
          start: (unit) => start(box, unit),
          interrupted: (_follower, work) => interrupted(box, work),
        }),
      );
    });

    it('is read on while journald is restarted, killed, and its files are rotated and removed', async (t) => {
      const follower = follow(box);
      t.after(() => follower.close());
      await untilFound(follower);
      for (const [index, disturbance] of [
        'systemctl restart systemd-journald.service',
        killJournald,
        'journalctl --rotate',
        'journalctl --rotate && journalctl --vacuum-files=1',
      ].entries()) {
        await box.run(['sh', '-c', disturbance]);
        await start(box, `disturbed-${index}.service`);
        await untilTold(follower, `disturbed-${index}.service`);
      }
      assert.deepEqual(
        follower.told().filter((told) => 'lost' in told),
        [],
      );
    });

    it('goes on where the entry that was told last is gone', async (t) => {
      const follower = follow(box);
      t.after(() => follower.close());
      await untilFound(follower);
      await start(box, 'vacuumed.service');
      await untilTold(follower, 'vacuumed.service');
      await interrupted(box, async () => {
        await box.run(['sh', '-c', `${copy} --rotate && ${copy} --vacuum-files=1`]);
        assert.equal(await box.run([copy, '--no-pager', '--quiet', 'UNIT=vacuumed.service']), '');
        await start(box, 'behind-1.service');
        await start(box, 'behind-2.service');
      });
      await untilTold(follower, 'behind-1.service');
      await untilTold(follower, 'behind-2.service');
      assert.equal(jobsOf(follower, 'vacuumed.service').length, 1);
    });

    it('is lost where there is none, and found when journald is back', async (t) => {
      const units = ['systemd-journald.socket', 'systemd-journald-dev-log.socket', 'systemd-journald.service'];
      await box.run(['systemctl', 'stop', ...units]);
      await box.run(['sh', '-c', 'rm -rf /run/log/journal /var/log/journal']);
      const follower = follow(box);
      t.after(() => follower.close());
      await eventually('lost', () => lostBecause(follower).includes('there is no journal'));
      await box.run(['systemctl', 'start', ...units]);
      await start(box, 'back.service');
      await untilTold(follower, 'back.service');
      assert.deepEqual(lastWord(follower), { found: true });
    });

    it('is read on when the folder for persistent journals is made and all moves there', async (t) => {
      await box.run(['test', '!', '-e', '/var/log/journal']);
      const follower = follow(box);
      t.after(() => follower.close());
      await untilFound(follower);
      await box.run(['sh', '-c', 'mkdir /var/log/journal && journalctl --flush']);
      assert.match(await box.run(['sh', '-c', 'ls /var/log/journal/*']), /system\.journal/);
      await start(box, 'persistent.service');
      await untilTold(follower, 'persistent.service');
      assert.deepEqual(
        follower.told().filter((told) => 'lost' in told),
        [],
      );
    });

    it('leaves no journalctl behind when its reader is killed', async (t) => {
      const follower = follow(box);
      t.after(() => follower.close());
      await untilFound(follower);
      assert.notEqual(await box.run(['pgrep', '-x', 'journalctl']), '');
      follower.command.kill('SIGKILL');
      await follower.command.finished;
      await eventually('no journalctl', async () => (await box.exec(['pgrep', '-x', 'journalctl'])).code === 1);
    });

    describe('with users', () => {
      let alice: UserSession;
      before(async () => {
        alice = await userSession(box);
      });

      it('has the jobs of user managers, as such', async (t) => {
        const follower = follow(box);
        t.after(() => follower.close());
        await untilFound(follower);
        await alice.run(['systemd-run', '--user', '--quiet', '--wait', '--collect', '--unit=hers.service', 'true']);
        await untilTold(follower, 'hers.service');
        assert.ok(jobsOf(follower, 'hers.service').every(({ user }) => user));
      });

      it('tells nothing that others wrote in the name of systemd', async (t) => {
        const follower = follow(box);
        t.after(() => follower.close());
        await untilFound(follower);
        await box.write('/usr/local/bin/forge', forge);
        await alice.run(['forge', 'forged-1.service']);
        await box.run(['systemd-run', '--quiet', '--wait', '--collect', 'forge', 'forged-2.service']);
        // Into the cgroup of her own manager she may move herself: then it counts as hers, never as one of the system.
        const inside = ['forge', 'forged-3.service', `/sys/fs/cgroup${alice.cgroup}/init.scope/cgroup.procs`];
        // journald looks up who wrote it: where the writer has ended by then, the entry tells nobody's unit, and is not told.
        await eventually('hers is told', async () => {
          await alice.run(['systemd-run', '--user', '--quiet', '--wait', '--collect', ...inside]);
          return jobsOf(follower, 'forged-3.service').length > 0;
        });
        await start(box, 'behind-forged.service');
        await untilTold(follower, 'behind-forged.service');
        assert.deepEqual(jobsOf(follower, 'forged-1.service'), []);
        assert.deepEqual(jobsOf(follower, 'forged-2.service'), []);
        assert.ok(jobsOf(follower, 'forged-3.service').every(({ user }) => user));
      });

      it('is lost for a user who may not read it, with what to do about that', async (t) => {
        const follower = follow(box, { uid: alice.uid });
        t.after(() => follower.close());
        await eventually('lost', () => lostBecause(follower).includes('systemd-journal'), {
          details: follower.command.stderr,
        });
        assert.ok(!follower.told().some((told) => 'found' in told));
      });
    });
  });
}
