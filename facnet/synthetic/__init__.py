"""The embedded data: timelines in numbers, features made."""
