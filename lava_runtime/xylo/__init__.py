"""The emulator of Xylo chips, and xylosim, the vendor's simulator."""
