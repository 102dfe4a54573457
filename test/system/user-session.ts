/** A user of a container with a `systemd --user` of its own, started by lingering: no login needed. */
import type { Container } from './container.ts';
import { eventually } from './eventually.ts';
import type { CommandOptions, Finished } from './inside.ts';

export interface UserSession {
  readonly name: string;
  readonly uid: number;
  /** The user manager's cgroup, from the container's root: `/user.slice/user-1000.slice/user@1000.service`. */
  readonly cgroup: string;
  /** Runs a program as the user, on the user's bus: `systemctl --user …`, `systemd-run --user …`. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<Finished>;
  /** `exec` that rejects on any exit code but 0; gives stdout. */
  run(argv: readonly string[], options?: CommandOptions): Promise<string>;
  /** Ends the user manager and all its units; the user stays. */
  end(): Promise<void>;
  /** Starts the user manager (again) and waits until it answers. */
  begin(): Promise<void>;
}

/** Makes the user if there is none of this name, and starts its manager. Trees 'bookworm' and 'trixie' only (PAM). */
export async function userSession(box: Container, name = 'alice'): Promise<UserSession> {
  if ((await box.exec(['id', '-u', name])).code !== 0) await box.run(['useradd', '--create-home', name]);
  const uid = Number(await box.run(['id', '-u', name]));
  const unit = `user@${uid}.service`;
  const mine = (options?: CommandOptions): CommandOptions => ({
    ...options,
    uid,
    env: { HOME: `/home/${name}`, USER: name, ...options?.env },
  });
  const exec: UserSession['exec'] = (argv, options) => box.exec(argv, mine(options));
  const session: UserSession = {
    name,
    uid,
    cgroup: `/user.slice/user-${uid}.slice/${unit}`,
    exec,
    run: (argv, options) => box.run(argv, mine(options)),
    begin: async () => {
      await box.run(['loginctl', 'enable-linger', name]);
      // logind itself does not while a session of the user's former life is still closing.
      await box.run(['systemctl', 'start', unit]);
      const answers = async (): Promise<boolean> => {
        const { stdout } = await exec(['systemctl', '--user', 'is-system-running']);
        return stdout === 'running\n';
      };
      await eventually(`the user manager of ${name} runs`, answers);
    },
    end: async () => {
      await box.run(['loginctl', 'disable-linger', name]);
      await box.run(['systemctl', 'stop', unit]);
    },
  };
  await session.begin();
  return session;
}
