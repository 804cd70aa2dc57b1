"""Fit the router to verdicts, calibrate it, and show by how much it beats simple rules. Imports numpy where used."""
