// What grows old or runs out is drawn anew each second, while somebody can see it.

// Draws now, and then each second until what it gives is called.
export function ticking(draw) {
  const timer = setInterval(() => { if (!document.hidden) draw(); }, 1000);
  draw();
  return () => clearInterval(timer);
}

// Seconds since some moment of this page's own clock.
export const since = (moment) => (Date.now() - moment) / 1000;
