"""The same boards, or some of them, made in other ways."""
