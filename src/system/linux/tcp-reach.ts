/** The TcpReach port. */
import type { Clock } from '../../core/clock.ts';
import type { TcpReach } from '../dns-watch-ports.ts';
import { TcpStage } from './tcp-stage.ts';

export class LinuxTcpReach implements TcpReach {
  readonly #stage: TcpStage;

  constructor(clock: Clock) {
    this.#stage = new TcpStage(clock);
  }

  async reaches(address: string, port: number, timeout: number, signal: AbortSignal): Promise<boolean> {
    const outcome = await this.#stage.connect({ address, port, timeout }, signal);
    if (outcome.kind === 'connected') outcome.socket.destroy();
    return outcome.kind === 'connected' || (outcome.kind === 'failure' && outcome.reason === 'refused');
  }
}
