"""From video files to features: I3D, extraction, and a page to look at detections."""
