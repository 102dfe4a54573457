/** Asks a module of the running netsteward for something of its own, over the control socket. */
import { NetstewardError } from '../core/errors.ts';
import { askControl, badAnswer } from './control-client.ts';

/** Milliseconds. */
const patience = 20_000;

/** What the module says. Rejects as askControl() does, and with the module's own NetstewardError. */
export async function controlCommand(socket: string, module: string, name: string, argument: string): Promise<string> {
  const question = { socket, method: 'POST', path: '/command', limit: patience } as const;
  const { status, body } = await askControl({ ...question, body: { module, name, argument } });
  const answer = Object(body) as Readonly<Record<string, unknown>>;
  if (status === 200 && typeof answer.text === 'string') return answer.text;
  if (typeof answer.error !== 'string' || typeof answer.code !== 'string') {
    throw badAnswer(socket, `its answer (${status}) does not say what became of it`);
  }
  const remedy = typeof answer.remedy === 'string' ? { remedy: answer.remedy } : {};
  throw new NetstewardError(answer.code, answer.error, remedy);
}
