"""What keeps the job store in order while processors come and go."""
