// Asks for something now and then: one request at a time, one more after it if it was asked for meanwhile.
import { RequestError } from './api.js';

/** `ask` fetches and shows; after an error the next wish or the next turn of the clock tries again. */
export class Refresher {
  constructor(ask, every) {
    this.ask = ask;
    this.underWay = false;
    this.wanted = false;
    this.askedAt = 0;
    this.every = every; // ms; a screen that nobody sees does not ask
    setInterval(() => {
      if (!document.hidden && performance.now() - this.askedAt >= every) this.refresh();
    }, every / 2);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.refresh();
    });
  }

  async refresh() {
    this.wanted = true;
    if (this.underWay) return;
    this.underWay = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        this.askedAt = performance.now();
        await this.ask();
      }
    } catch (error) {
      // The server is away or could not answer: the link's state tells. Anything else is a mistake of ours.
      if (!(error instanceof RequestError)) throw error;
    } finally {
      this.underWay = false;
    }
  }
}
