/** HTTP connections that take one request at a time: what is sent before the first is answered ends them. */
import type { RequestListener } from 'node:http';

/**
 * Requests before the answer to the first (pipelining, RFC 9112 §9.3.2) would each have an answer made and kept in memory, a
 * thousand for one read of 64 kB. No browser sends any, nor does netsteward.
 */
export function oneAtATime(handle: RequestListener): RequestListener {
  const answering = new WeakSet<object>();
  return (request, response) => {
    const { socket } = request;
    if (answering.has(socket)) {
      socket.destroy();
      return;
    }
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
    handle(request, response);
  };
}
