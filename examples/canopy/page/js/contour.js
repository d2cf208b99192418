// Where a field over a grid is zero, by marching squares: line segments [[x1, y1, x2, y2]] in grid steps.

/** values: rows of `width` numbers. */
export function contourOf({ width, height, values }) {
  const segments = [];
  const zero = (a, b) => a / (a - b); // of the way from a to b, which have unlike signs
  for (let row = 0; row + 1 < height; row += 1) {
    for (let column = 0; column + 1 < width; column += 1) {
      const at = row * width + column;
      const [sw, se, nw, ne] = [values[at], values[at + 1], values[at + width], values[at + width + 1]];
      const crossings = [];
      if (sw > 0 !== se > 0) crossings.push(column + zero(sw, se), row);
      if (se > 0 !== ne > 0) crossings.push(column + 1, row + zero(se, ne));
      if (nw > 0 !== ne > 0) crossings.push(column + zero(nw, ne), row + 1);
      if (sw > 0 !== nw > 0) crossings.push(column, row + zero(sw, nw));
      // Four crossings are a saddle: taken pair by pair, in the order around the square.
      for (let i = 0; i + 3 < crossings.length; i += 4) segments.push(crossings.slice(i, i + 4));
    }
  }
  return segments;
}
