"""What every package stands on: errors, atomic files, arrays, locks and limits."""
