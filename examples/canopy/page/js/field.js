// What the network answers over the plane: a grid of numbers, read between its points and made into a picture.
import { channels, colours } from './theme.js';

export class Field {
  /** boundary: as /api/boundary tells it. */
  constructor(boundary) {
    Object.assign(this, boundary);
  }

  /** In grid steps. */
  columnOf(x) {
    const [from, to] = this.x_range;
    return ((x - from) / (to - from)) * (this.width - 1);
  }

  rowOf(y) {
    const [from, to] = this.y_range;
    return ((y - from) / (to - from)) * (this.height - 1);
  }

  /** The answer at a point of the plane, between the four around it. */
  answerAt(x, y) {
    const column = Math.max(0, Math.min(this.width - 1.001, this.columnOf(x)));
    const row = Math.max(0, Math.min(this.height - 1.001, this.rowOf(y)));
    const [left, low] = [Math.floor(column), Math.floor(row)];
    const [dx, dy] = [column - left, row - low];
    const value = (r, c) => this.values[r * this.width + c];
    return (value(low, left) * (1 - dx) + value(low, left + 1) * dx) * (1 - dy) +
      (value(low + 1, left) * (1 - dx) + value(low + 1, left + 1) * dx) * dy;
  }

  /** One pixel a grid point, the highest row first, as pictures have it. */
  picture() {
    const image = new ImageData(this.width, this.height);
    const { positive, negative, middle } = colours();
    const [high, low, none] = [positive, negative, middle].map(channels);
    this.values.forEach((value, i) => {
      const row = this.height - 1 - Math.floor(i / this.width);
      const to = (row * this.width + (i % this.width)) * 4;
      const end = value > 0 ? high : low;
      const share = Math.min(1, Math.abs(value) * 2) * 0.55;
      for (let c = 0; c < 3; c += 1) image.data[to + c] = none[c] + (end[c] - none[c]) * share;
      image.data[to + 3] = 255;
    });
    return image;
  }
}
