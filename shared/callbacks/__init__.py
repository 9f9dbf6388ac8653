"""What gateway and processor both know of callbacks: where they may go, and what they are signed with. Pure."""
