"""A local Slack workspace on the wire: Web API, Events API, interactivity, Socket Mode, and the people in it."""
