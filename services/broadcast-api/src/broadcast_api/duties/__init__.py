"""What one replica at a time does in the background: relay, planning, projection, settling."""
