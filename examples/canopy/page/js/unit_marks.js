// Marks on a curve where hidden units were added: a Chart.js plugin.
import { colours } from './theme.js';

const closest = 18; // px between two numbers

export function unitMarks(units) {
  return {
    id: 'unitMarks',
    beforeDatasetsDraw({ ctx, chartArea, scales: { x } }) {
      const { unit: colour } = colours();
      let numbered = Infinity;
      ctx.save();
      ctx.strokeStyle = colour;
      ctx.fillStyle = colour;
      ctx.font = `10px ${getComputedStyle(document.body).fontFamily}`;
      ctx.textAlign = 'center';
      ctx.setLineDash([2, 3]);
      for (const { unit, epoch } of units().toReversed()) {
        if (epoch < x.min || epoch > x.max) continue;
        const at = Math.round(x.getPixelForValue(epoch)) + 0.5;
        ctx.globalAlpha = 0.6;
        ctx.beginPath();
        ctx.moveTo(at, chartArea.top);
        ctx.lineTo(at, chartArea.bottom);
        ctx.stroke();
        if (numbered - at < closest) continue;
        numbered = at;
        ctx.globalAlpha = 1;
        ctx.fillText(String(unit + 1), at, chartArea.top - 4);
      }
      ctx.restore();
    },
  };
}
