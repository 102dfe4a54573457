/** A process that boots a container, tells of it, and waits to be killed: container.test.ts's. */
import { bootContainer } from './container.ts';

const { name, pid } = await bootContainer();
process.stdout.write(`${JSON.stringify({ name, pid })}\n`);
setInterval(() => undefined, 1000);
