"""The running of tasks: images, networks, containers, what they print, how they are, and what they are told.

`settling` brings a task from state to state. All else is asked by it. Whatever is in memory here is known from the
store, from the keeper and from the folders of tasks, so that a block that was killed goes on with what runs.
"""
